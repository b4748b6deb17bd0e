import * as vscode from 'vscode';
import { type Icon, jobDescription, serverDescription, WARNING } from '../describe.ts';
import { count } from '../format.ts';
import type { Change, Model } from '../model.ts';
import { type QueueRow, queueChildren, queueRoots } from '../queue-rows.ts';
import { themeIcon } from './nodes.ts';

/** Slots of the servers, then running, waiting and parked jobs. */
export class QueueTree implements vscode.TreeDataProvider<QueueRow>, vscode.Disposable {
  readonly #model: Model;
  readonly #emitter = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#emitter.event;

  constructor(model: Model) {
    this.#model = model;
  }

  /** The whole view is a few hundred lines at most and is read at most once a second, so it is drawn as a whole. */
  apply(change: Change): void {
    if (change.queue) this.#emitter.fire(undefined);
  }

  getTreeItem(row: QueueRow): vscode.TreeItem {
    const item = new vscode.TreeItem(labelOf(row));
    item.id = row.id;
    item.description = descriptionOf(row);
    const icon = iconOf(row);
    if (icon) item.iconPath = themeIcon(icon);
    item.contextValue = row.kind === 'job' ? `job ${row.job.state}` : row.kind;
    if (row.kind === 'group') item.collapsibleState = vscode.TreeItemCollapsibleState.Expanded;
    if (row.kind === 'job' && row.job.error !== null) item.tooltip = row.job.error;
    if (row.kind === 'server' && row.server.error !== null) item.tooltip = row.server.error;
    return item;
  }

  getChildren(row?: QueueRow): QueueRow[] {
    const queue = this.#model.queue();
    if (row) return queueChildren(row);
    return queue ? queueRoots(queue) : [];
  }

  dispose(): void {
    this.#emitter.dispose();
  }
}

const labelOf = (row: QueueRow): string => {
  if (row.kind === 'server') return row.server.url;
  if (row.kind === 'group') return row.label;
  return row.kind === 'job' ? row.job.name : `… and ${row.left} more`;
};

const descriptionOf = (row: QueueRow): string => {
  if (row.kind === 'server') return serverDescription(row.server);
  if (row.kind === 'group') return count(row.jobs.length, 'job');
  return row.kind === 'job' ? jobDescription(row.job) : '';
};

const GROUP_ICONS: Readonly<Record<string, Icon>> = {
  running: { name: 'play-circle', color: 'charts.blue' },
  parked: { name: 'warning', color: WARNING },
  person: { name: 'person' },
  review: { name: 'git-pull-request' },
  critical: { name: 'flame' },
  batch: { name: 'clock' },
};

const iconOf = (row: QueueRow): Icon | undefined => {
  if (row.kind === 'group') return GROUP_ICONS[row.group];
  if (row.kind !== 'server') return undefined;
  return row.server.reachable ? { name: 'server' } : { name: 'error', color: 'testing.iconFailed' };
};
