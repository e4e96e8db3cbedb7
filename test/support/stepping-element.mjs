// A pool element of counters, a pool for each way of writing one, that dies at a step of its handlers. Arguments: REGISTRAR IDENTIFIER STYLES (JSON).
// Lines it takes: `register`, `die STEP N` (when N sessions have come so far with message 2), `tell`. It writes what its sessions see as they see it.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { initialize } from 'rserpool';
import { numberOf } from '../../dist/testing/simulation/counter.js';
import { counterService, plainStyle } from '../../dist/testing/simulation/service.js';
import { nodeClock, nodeRandom } from '../../dist/transports/node.js';

const [registrar, identifier, styles] = process.argv.slice(2);
const say = (line) => { writeSync(1, `${line}\n`); }; // also what is said last
const rsp = await initialize({ registrars: [registrar] });
const records = [];
/** @type {{ step: string, missing: number, all: Promise<void>, go: () => void } | undefined} */
let death;

const die = () => { process.kill(process.pid, 'SIGKILL'); };
const log = {
  saved: (session) => ({ add: (cookie) => { say(`saved ${JSON.stringify({ session, cookie })}`); } }),
  of: (session) => ({
    push: (record) => {
      const { epoch, events } = record;
      records.push({ session, record });
      events.push = (event) => { say(`saw ${JSON.stringify({ session, epoch, event })}`); return Array.prototype.push.call(events, event); };
    },
  }),
};

/** Two steps are behind the handlers: `settled`, before what they have written leaves, and `written`, when it has. */
function hold(step, message) {
  if (death === undefined || numberOf(message) !== 2) return undefined;
  const isBehind = step === 'cookie set' && (death.step === 'settled' || death.step === 'written');
  if (step !== death.step && !isBehind) return undefined;
  death.missing -= 1;
  if (death.missing === 0) {
    if (isBehind) death.go();
    if (death.step === 'settled') process.nextTick(die); else setImmediate(() => setImmediate(die));
  }
  return isBehind ? death.all : new Promise(() => undefined);
}

async function register() {
  await Promise.all(Object.entries(JSON.parse(styles)).map(([pool, style]) => {
    const service = counterService({ ...plainStyle, ...style }, { clock: nodeClock, random: nodeRandom }, identifier, { log, transcript: { note: () => undefined }, hold });
    return rsp.register(pool, { listen: ['tcp://127.0.0.1:0'], identifier: Number(identifier), ...service.options }, service.onSession);
  }));
  say('registered');
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [, step, count] = /^die (.*) (\d+)$/.exec(line) ?? [];
  if (step !== undefined) {
    let go;
    const all = new Promise((resolve) => { go = resolve; });
    death = { step, missing: Number(count), all, go };
    say('will die');
  } else if (line === 'register') void register();
  else say(`told ${JSON.stringify(records.map(({ session, record }) => ({ session, ...record })))}`);
}).on('close', () => process.exit());
say('ready');
