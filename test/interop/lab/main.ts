import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { nodeClock } from '../../../transports/node.js';
import { packageNames, whyNot } from './requirements.js';

/** `npm run test:interop [-- PATTERN... | --shell | --packages]`: the interop suites in a lab of their own, `README.md`.
 *  The lab is a network and a process namespace (inside.ts is its first process). When this process ends, however, the namespaces end and everything in them:
 *  guests, recordings, interfaces. */

const args = process.argv.slice(2);
if (args[0] === '--packages') {
  process.stdout.write(`${packageNames.join(' ')}\n`);
} else {
  const unfit = whyNot();
  if (unfit === undefined) enter();
  else {
    process.stderr.write(`interop lab: cannot run here: ${unfit.why}\n`);
    process.exitCode = unfit.code;
  }
}

function enter(): void {
  const state = freshFolder();
  // setpriv becomes unshare, which dies with us (also by SIGKILL); the namespace's first process dies with unshare, and the rest with that one.
  const inside = join(import.meta.dirname, 'inside.js');
  const lab = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', process.execPath, inside, ...args], {
    stdio: 'inherit',
    env: { ...process.env, LAB_STATE: state, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
  const end = (code: number): never => {
    lab.kill('SIGKILL');
    process.exit(code);
  };
  lab.once('error', (error) => {
    process.stderr.write(`interop lab: ${error.message}\n`);
    process.exit(1);
  });
  lab.once('exit', (code) => process.exit(code ?? 1));
  process.on('SIGINT', () => end(130)).on('SIGTERM', () => end(143)).on('SIGHUP', () => end(129));
  watchLauncher(() => end(1));
}

/** A folder for logs and captures; those of runs that are over are removed. */
function freshFolder(): string {
  const runs = join(process.env['LAB_STATE'] ?? join(import.meta.dirname, '..'), 'runs'); // a lab inside a lab sees other process ids
  mkdirSync(runs, { recursive: true });
  for (const run of readdirSync(runs)) if (parentOf(Number(run)) === undefined) rmSync(join(runs, run), { recursive: true });
  const state = join(runs, String(process.pid));
  rmSync(state, { recursive: true, force: true });
  mkdirSync(state);
  return state;
}

/** `npm`, when it is killed, does not tell its shell, nor that one us. */
function watchLauncher(gone: () => void): void {
  const line = (): string => `${process.ppid} ${process.env['npm_lifecycle_event'] === undefined ? '' : parentOf(process.ppid) ?? ''}`;
  const launchers = line();
  const look = (): void => {
    if (line() !== launchers) gone();
    else nodeClock.setTimeout(look, 500);
  };
  look();
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined; // there is no such process
  }
}
