/** Fetches a file of 100 MiB from a pool of mirrors while they are killed: `node dist/examples/file-transfer/main.js [--size MIB] [--kills N] [--seed TEXT]`.
 *  A registrar and the client in this process, three mirrors in processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRegistrar, initialize } from '../../index.js';
import { download } from './client.js';
import { MadeFile } from './made-file.js';
import { ProgressBar } from './progress.js';

const { size, kills, seed } = options();
const file = new MadeFile(seed, size);
const bar = new ProgressBar();
const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const mirrors = new Map<number, ChildProcess>();
await Promise.all([start(1), start(2), start(3)]);

const rsp = await initialize({ registrars: registrar.asap });
let killed = 0;
const begun = performance.now();
const result = await download(rsp, {
  name: 'file',
  progress: (received, total, server) => {
    bar.show(received, total);
    if (killed < kills && received >= (total * (killed + 1)) / (kills + 1)) kill(server ?? 0);
  },
  moved: (from, to, offset) => { bar.note(`moved from mirror ${from} to ${to}; the rest, from byte ${offset}, is asked of it`); },
});
const seconds = (performance.now() - begun) / 1000;

const isWhole = result.bytes === file.size && result.hash === file.hash();
bar.note(`${result.bytes} bytes in ${seconds.toFixed(1)} s, ${killed} mirrors killed`);
console.log(`${result.requests.length} ${result.requests.length === 1 ? 'request' : 'requests'}, from byte ${result.requests.join(', ')}; asked for again although it had arrived: ${result.twice} bytes`);
console.log(isWhole ? `complete: sha256 ${result.hash}` : `NOT THE FILE: sha256 ${result.hash}, it should be ${file.hash()}`);
for (const mirror of mirrors.values()) mirror.kill('SIGKILL');
await rsp.close();
await registrar.close();
process.exitCode = isWhole && result.twice === 0 ? 0 : 1;

/** Resolves when the mirror is registered. */
async function start(identifier: number): Promise<void> {
  const script = fileURLToPath(new URL('server.js', import.meta.url));
  const mirror = spawn(process.execPath, [script, registrar.asap[0] ?? '', String(identifier), seed, String(size)], { stdio: ['pipe', 'pipe', 'inherit'] });
  mirrors.set(identifier, mirror);
  await new Promise<void>((ready, failed) => {
    createInterface({ input: mirror.stdout }).once('line', () => { ready(); });
    mirror.once('exit', () => { failed(new Error(`mirror ${identifier} has ended`)); });
  });
}

/** And another one takes its place. What comes of a dead one was under way (up to 4 MiB). */
function kill(identifier: number): void {
  const mirror = mirrors.get(identifier);
  if (mirror === undefined) return;
  killed += 1;
  bar.note(`mirror ${identifier} killed`);
  mirror.kill('SIGKILL');
  mirrors.delete(identifier);
  start(3 + killed).catch(() => undefined); // it may be killed before it is ready
}

function options(): { readonly size: number; readonly kills: number; readonly seed: string } {
  try {
    const { values } = parseArgs({ options: { size: { type: 'string', default: '100' }, kills: { type: 'string', default: '5' }, seed: { type: 'string', default: 'rserpool' } } });
    const [mib, times] = [Number(values.size), Number(values.kills)];
    if (!(mib >= 0 && mib <= 10_000) || !(Number.isInteger(times) && times >= 0)) throw new Error('--size is a number of MiB up to 10000, --kills a whole number');
    return { size: Math.round(mib * 1024 * 1024), kills: times, seed: values.seed };
  } catch (error) {
    console.error((error as Error).message);
    process.exit(2);
  }
}
