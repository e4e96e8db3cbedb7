// A pool user whose sessions each have one message under way all the time. `node steady-user.mjs REGISTRAR POOL SESSIONS`, after `npm run build`. The service counts, so each reply says how many came before it.
// Lines: `ready`; `moved SESSION REASON DURATION` for each failover; after a line on standard input: one of JSON with what was lost, what was doubled, and the pauses between two replies.
import { initialize } from '../../dist/index.js';

const [registrar, pool, count] = process.argv.slice(2);
const rsp = await initialize({ registrars: [registrar] });
const sessions = await Promise.all(Array.from({ length: Number(count) }, () => rsp.connect(pool)));
const state = sessions.map(() => ({ sent: 0, answered: 0, wrong: 0, pause: 0, last: performance.now() }));
let isEnding = false;

const next = (i) => {
  if (isEnding) return;
  state[i].sent++;
  void sessions[i].send('x');
};
for (const [i, session] of sessions.entries()) {
  session.on('data', (data) => {
    const mine = state[i];
    const now = performance.now();
    mine.pause = Math.max(mine.pause, now - mine.last);
    mine.last = now;
    mine.answered++;
    if (!new RegExp(`\\b${mine.answered}\\b`).test(data.toString())) mine.wrong++;
    setTimeout(next, 5, i);
  });
  session.on('failover', ({ reason, duration }) => { process.stdout.write(`moved ${i} ${reason} ${duration.toFixed(1)}\n`); });
  session.on('error', (error) => { process.stdout.write(`error ${i} ${error.code}\n`); });
  next(i);
}
process.stdout.write('ready\n');
process.stdin.once('data', async () => {
  isEnding = true;
  await Promise.all(sessions.map((session) => session.flush()));
  const pauses = state.map(({ pause }) => pause).sort((a, b) => a - b);
  process.stdout.write(`${JSON.stringify({
    sent: state.reduce((sum, { sent }) => sum + sent, 0), answered: state.reduce((sum, { answered }) => sum + answered, 0), wrong: state.reduce((sum, { wrong }) => sum + wrong, 0),
    medianPause: pauses[pauses.length >> 1], longestPause: pauses.at(-1),
  })}\n`);
  await rsp.close();
  process.exit(0);
});
