import type { RunView } from '../mcp-server/operations/views.ts';
import type { Editor } from './editor.ts';

/** Opens a run among the agents. */
export const showRun = async (editor: Editor, run: RunView): Promise<void> => {
  editor.client.model.applyRuns([run]);
  await editor.client.track(run.run);
  const node = editor.agents.node(run.run);
  if (node)
    await editor.agentsView.reveal(node, { select: false, focus: false, expand: true }).then(undefined, () => {});
};
