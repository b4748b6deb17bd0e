/** Ids of the commands; package.json declares the same ones (a test compares them). */
export const COMMANDS = {
  orchestrate: 'coppice.orchestrate',
  runWorkflow: 'coppice.runWorkflow',
  saveWorkflow: 'coppice.saveWorkflow',
  newWorkflow: 'coppice.newWorkflow',
  showPlan: 'coppice.showPlan',
  runPlan: 'coppice.runPlan',
  shrinkPlan: 'coppice.shrinkPlan',
  editPlan: 'coppice.editPlan',
  cancelPlan: 'coppice.cancelPlan',
  retryFailed: 'coppice.retryFailed',
  cancelRun: 'coppice.cancelRun',
  cancelAgent: 'coppice.cancelAgent',
  pauseAgents: 'coppice.pauseAgents',
  continueAgents: 'coppice.continueAgents',
  resumeRun: 'coppice.resumeRun',
  sendMessage: 'coppice.sendMessage',
  showTranscript: 'coppice.showTranscript',
  reviewChanges: 'coppice.reviewChanges',
  landChanges: 'coppice.landChanges',
  discardChanges: 'coppice.discardChanges',
  showLog: 'coppice.showLog',
  checkSetup: 'coppice.checkSetup',
  restartEngine: 'coppice.restartEngine',
  setApiKey: 'coppice.setApiKey',
  refresh: 'coppice.refresh',
} as const;

/** The same for skills; registered in skills/register.ts. */
export const SKILL_COMMANDS = {
  searchSkills: 'coppice.searchSkills',
  showAllSkills: 'coppice.showAllSkills',
  runSkill: 'coppice.runSkill',
  openSkill: 'coppice.openSkill',
  pinSkill: 'coppice.pinSkill',
  unpinSkill: 'coppice.unpinSkill',
  trustSkill: 'coppice.trustSkill',
  distrustSkill: 'coppice.distrustSkill',
  newSkill: 'coppice.newSkill',
  importSkill: 'coppice.importSkill',
  updateSkill: 'coppice.updateSkill',
  removeSkill: 'coppice.removeSkill',
  reviewDraft: 'coppice.reviewDraft',
  testDraft: 'coppice.testDraft',
  approveDraft: 'coppice.approveDraft',
  discardDraft: 'coppice.discardDraft',
  copyMcpConfiguration: 'coppice.copyMcpConfiguration',
} as const;

export type SkillCommandId = (typeof SKILL_COMMANDS)[keyof typeof SKILL_COMMANDS];

export type CommandId = (typeof COMMANDS)[keyof typeof COMMANDS];

/** Ids of the tree views. */
export const VIEWS = {
  agents: 'coppice.agents',
  plan: 'coppice.plan',
  budgets: 'coppice.budgets',
  queue: 'coppice.queue',
  skills: 'coppice.skills',
} as const;

/** Keys that `when` clauses of package.json read. */
export const CONTEXT = {
  /** `idle`, `starting`, `ready` or `failed`. */
  engine: 'coppice.engine',
  hasRuns: 'coppice.hasRuns',
  /** Some run goes on; is paused; waits for a review; has failed steps; has a plan that waits. */
  hasActive: 'coppice.hasActive',
  hasPaused: 'coppice.hasPaused',
  hasReviewable: 'coppice.hasReviewable',
  hasRetryable: 'coppice.hasRetryable',
  hasWaitingPlan: 'coppice.hasWaitingPlan',
  /** Some skill is a draft; was imported; needs a review; is trusted; is pinned. */
  hasDrafts: 'coppice.hasDrafts',
  hasImports: 'coppice.hasImports',
  hasUntrusted: 'coppice.hasUntrusted',
  hasTrusted: 'coppice.hasTrusted',
  hasPinned: 'coppice.hasPinned',
  /** The active editor shows the review of a run that can be landed or discarded. */
  reviewing: 'coppice.reviewing',
  /** There is a plan to show. */
  hasPlan: 'coppice.hasPlan',
  /** The plan that is shown waits for the person's word. */
  planWaits: 'coppice.planWaits',
  /** The view Skills hides some. */
  skillsFiltered: 'coppice.skillsFiltered',
} as const;

/** URI schemes of the documents that the extension shows. */
export const SCHEMES = {
  transcript: 'coppice-transcript',
  review: 'coppice-review',
  setup: 'coppice-setup',
  budget: 'coppice-budget',
  plan: 'coppice-plan',
  planPage: 'coppice-plan-page',
  skill: 'coppice-skill',
} as const;

export const MCP_PROVIDER = 'coppice.mcp';

/** Settings, without the `coppice.` in front. */
export const SETTINGS = {
  serverUrl: 'server.url',
  serverModel: 'server.model',
  defaultBudget: 'defaultBudget',
  maxDepth: 'maxDepth',
  maxAgents: 'maxAgents',
  concurrency: 'concurrency',
  commands: 'permissions.commands',
  confirmPlans: 'planning.confirm',
  pattern: 'planning.pattern',
  workers: 'planning.workers',
  fanIn: 'planning.fanIn',
  retries: 'planning.retries',
  distribution: 'planning.distribution',
  maxForecastTokens: 'planning.maxForecastTokens',
  levelNames: 'planning.levelNames',
  servers: 'planning.servers',
  skillHub: 'skills.hub',
  skillHubHosts: 'skills.hubHosts',
} as const;
