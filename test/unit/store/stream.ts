import { writeSync } from 'node:fs';
import { openStore } from '../../../mcp-server/store/open.ts';
import { A, answer, B, beginTurn, ids, newCall, newMessage, newRun, R, seed, timings, usage } from './fixtures.ts';

/**
 * A process that writes whole turns until somebody kills it: `stream.ts <database> <backups> [before|after <commit>]`.
 * It kills itself at that commit when it is told to, and prints the number of each turn that the store acknowledged.
 */
const [path = '', backupDir = '', when, at] = process.argv.slice(2);
let commits = 0;
const dieAt = (place: string) => (): void => {
  if (place === when && commits === Number(at)) process.kill(process.pid, 'SIGKILL');
  if (place === 'after') commits++;
};
const faults = { beforeCommit: dieAt('before'), afterCommit: dieAt('after') };
const { store } = await openStore({ path, backupDir, clock: { now: () => 1 }, version: '1', faults });

if (!(await store.run(R))) await seed(store, { budget: 100_000_000 });
for (let i = (await store.events(0, 1_000_000)).length + 1; i < 100_000; i++) {
  const agent = i % 2 ? A : B;
  const name = `${store.epoch}-${i}`;
  const turn = ids.turn(name);
  await store.transaction(async (tx) => {
    await tx.grant(R, agent, 60, i);
    await tx.send(newMessage(name, agent));
  });
  await beginTurn(store, name, agent, 50);
  await store.transaction(async (tx) => {
    await tx.deliver(turn, [ids.message(name)]);
    await tx.answerTurn(turn, answer, usage, timings);
    await tx.insertCalls([newCall(turn, 0)]);
    await tx.settle(agent, turn, 40, i);
  });
  await store.transaction(async (tx) => {
    await tx.closeTurn(turn, { commit: null, endedAt: i });
    await tx.finishJob(ids.job(name), 'done');
    await tx.patchAgent(agent, { action: `${i}` });
    await tx.emit(i, [{ type: 'agent.acted', run: R, agent, action: `${i}` }]);
    if (i % 10 === 0) await tx.insertRun(newRun(ids.run(name)));
  });
  writeSync(1, `${i}\n`);
}
