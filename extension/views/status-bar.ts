import * as vscode from 'vscode';
import { statusText } from '../describe.ts';
import type { EngineClient } from '../engine-client.ts';
import { VIEWS } from '../ids.ts';

/** Running agents, busy slots and tokens of the runs that go on; a click shows the agents. */
export const statusBar = (client: EngineClient): vscode.Disposable => {
  const item = vscode.window.createStatusBarItem('coppice.status', vscode.StatusBarAlignment.Left, 10);
  item.name = 'Coppice';
  item.command = `${VIEWS.agents}.focus`;
  const draw = (): void => {
    const slots = (client.model.queue()?.servers ?? [])
      .filter((server) => server.reachable)
      .reduce((sum, { slots }) => ({ busy: sum.busy + slots.busy, total: sum.total + slots.total }), {
        busy: 0,
        total: 0,
      });
    const failed = client.state.kind === 'failed' ? client.state.message : undefined;
    item.text =
      failed === undefined
        ? statusText(client.model.activeRuns(), slots.total > 0 ? slots : undefined)
        : '$(warning) Coppice';
    item.tooltip = failed ?? 'Coppice: agents that work now, busy slots, tokens used by runs that go on';
  };
  draw();
  item.show();
  return vscode.Disposable.from(item, client.onChange(draw), client.onState(draw));
};
