/** What `coppice help` prints. */
export const HELP = `coppice: grow one task into a hierarchy of agents on your own llama-server, and review the diff.

  coppice "TASK" [--repo PATH] [--server URL]   run a task (the same as coppice run)
  coppice                                       a demonstration with the built-in rules; it touches nothing of yours

  coppice run TASK     start a run and follow it
      --server URL       llama-server, http://127.0.0.1:8080 by default; "rehearsal" is a built-in stand-in:
                         fixed rules, no intelligence
      --model NAME       model to ask for, when the server has several
      --budget TOKENS    most that the whole run may spend (500000)
      --agents N         most agents in all: the planner, those of the plan and those that they make (60); fresh tries
                         of failed steps and agents that resolve conflicts or undo a step come on top
      --depth N          most levels of agents (3); how complex the task is says how many of them are used
      --concurrency N    turns in flight at once; the server's slots bound it too (64)
      --yes              ask no questions: the plan is carried out, and agents decide by themselves
      --detach           print the run's id and leave; the run goes on
      --max-forecast-tokens N
                         where nobody is asked: do not run a plan whose forecast (p90) is above N
      --pattern NAME     fork-join, map-reduce, pipeline, scatter-gather or saga; else chosen from the steps
      --domain NAME      software, research, analysis or planning; else chosen from the task
      --workers N        workers that are wished for; else as many as the task is worth
      --fan-in N         reports that one synthesizer joins (5)
      --level-names A,B  what the levels of agents are called, the uppermost first
      --distribution HOW least-loaded, round-robin, capability or priority, among several servers (least-loaded)
      --retries N        fresh tries of a failed step (1)
      --no-cache         take no plan of an earlier run
                       On a terminal the plan is shown with its forecast before it runs: run, shrink, edit or cancel it
  coppice plan TASK    make a plan, show it and leave it waiting; the flags of run count
  coppice plan show RUN          --yaml as text for editing
  coppice plan edit RUN          in $VISUAL or $EDITOR;   --file FILE takes the text from a file, - from standard input
  coppice plan shrink RUN HOW    fewer-agents, cheaper-tiers or tighter-steps
  coppice plan approve RUN       let its agents begin, and follow it;   --detach
  coppice plan drop RUN          cancel it
  coppice workflow     list the workflows of this repository and those that come with Coppice
  coppice workflow show NAME, workflow check [NAME|FILE], workflow save RUN NAME
                       print one; look for faults; make one of a run
  coppice workflow run NAME --param KEY=VALUE
                       start a run that a workflow plans; --param as often as need be; the flags of run count
  coppice forecast RUN what a run costs, and what is left of one that goes on
  coppice recommend TASK
                       which pattern fits a task or a RUN, and how each did here so far
  coppice retry RUN    try its failed steps again and follow it; what was done is kept;   --budget N more tokens, --detach
  coppice skill        list the skills of this repository, of your home folder, and those that come with Coppice
  coppice skill search WORDS     --hub looks in ClawHub;   skill show NAME prints one, --file FILE a file of it
  coppice skill check [NAME|FOLDER]
                       file:line:column: severity: message (code) of each problem; ends with 1 when one is an error
  coppice skill run NAME [TEXT]  a script is waited for, an agent is followed; the flags of run count
      --input JSON       an object or a text; - takes it from standard input;   --param KEY=VALUE, as often as need be
  coppice skill pin NAME, skill unpin NAME
                       have agents told of it from their beginning, or no more
  coppice skill trust NAME, skill distrust NAME
                       shows what it may do and its files, and asks; for the content that it has now
  coppice skill import git URL[@REF] [--path PATH], import clawhub SLUG[@VERSION], import langchain PACKAGE/PATH#EXPORT
                       shows what would come, and asks;   --name NAME another name
      --yes --expect HASH
                       where nobody is asked (import, update, trust, draft approve): the hash, or commit, that was shown
      --agree            langchain: looking at the tool may run its code;   --force  also what was changed by hand
  coppice skill update NAME, skill remove NAME
                       of those that were imported;   --force
  coppice skill new NAME
                       write a template;   --description TEXT, --script, --shared (below .agents, for git)
  coppice skill drafts, skill draft show|test|approve|discard NAME
                       skills that agents have written and nobody has approved
  coppice status [RUN] list the runs, or show one with its agents
  coppice events       print events; --after N, --follow, --run RUN
  coppice review       list the runs that changed files, and what became of them
  coppice review RUN   what a run changed; --patch the diff, --land merge it into your branch, --discard drop it
  coppice stop         end the engine of this repository gracefully; what was under way goes on at its next start
      --seconds N        wait at most so long (30);   --now  end it at once
  coppice stop RUN     cancel a run: its agents report what they have;   --now  without that
  coppice pause RUN [AGENT]     pause a run, or an agent with all below it (--alone: without them); a turn under way ends
  coppice continue RUN [AGENT]  let it go on where it was
  coppice doctor       look at repository, git and server, and say what to put right
  coppice mcp          speak MCP on stdin and stdout, for editors and other clients
  coppice mcp --print-config CLIENT
                       print what to write into a client's configuration: vscode, claude-code, claude-desktop, cursor,
                       codex, zed, generic
  coppice serve        MCP and a small HTTP API on this machine (127.0.0.1), until Ctrl-C
      --port N           where to listen (7717); 0 is any free port
      --scope SCOPE      of the token in COPPICE_TOKEN, or of the one that is made and kept: read, skills, run, land (run)
      --allow-origin URL pages of this origin may ask; can be given several times
  coppice serve token add NAME --scope SCOPE, serve token list, serve token remove NAME
                       tokens for further clients
  coppice help, coppice --version

  --repo PATH          the repository (this folder by default)
  --json               output for programs; with run, every line is an event and the last one is the result;
                       an error is a line {"type":"error","code":…,"message":…}

Ctrl-C while a run is followed: once lets its agents report and end, twice aborts it, three times leaves it running.

Exit status: 0 completed or answered, 1 failed, 2 wrong usage or set-up, 3 nothing useful came out, 4 partly done,
5 not done: its forecast is too high or a plan or a skill waits for a word, 130 cancelled.

Settings, each over the one before: defaults, ~/.config/coppice/config.json, <repository>/.coppice/config.json,
COPPICE_SERVER, COPPICE_MODEL, COPPICE_API_KEY, COPPICE_BUDGET, COPPICE_AGENTS, COPPICE_AGENTS_PER_LEVEL,
COPPICE_DEPTH, COPPICE_CONCURRENCY, COPPICE_COMMANDS, COPPICE_UNATTENDED, COPPICE_PATTERN, COPPICE_DOMAIN,
COPPICE_WORKERS, COPPICE_FAN_IN, COPPICE_LEVEL_NAMES, COPPICE_DISTRIBUTION, COPPICE_RETRIES,
COPPICE_MAX_FORECAST_TOKENS, COPPICE_PLAN_CACHE, COPPICE_PROCESSORS, COPPICE_SKILL_HUB, COPPICE_SKILL_HUB_HOSTS, flags.`;
