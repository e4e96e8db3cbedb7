import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { AGENT_PORT, Job } from './agent.js';
import { until } from './until.js';

export interface Outcome {
  readonly status: number | undefined;
  readonly out: string;
  readonly err: string;
}

export const scripts = join(process.cwd(), 'test/interop/lab/guest');

/** How many associations and ports are in use, after a moment in which those that are being shut down may end; no encapsulation any more. */
const quiet = 'cd /proc/sys/net/sctp; echo 0 >udp_port; echo 0 >encap_port; '
  + 'for try in 1 2 3 4 5; do count=$(cat /proc/net/sctp/assocs /proc/net/sctp/eps | grep -vc LPORT); [ $count = 0 ] && break; sleep 0.1; done; echo $count';

/** A user-mode Linux: one machine of the lab, 10.77.0.10 x its number. */
export class Guest {
  readonly address: string;
  readonly #jobs = new Set<Job>();

  constructor(readonly number: number, private readonly state: string) {
    this.address = `10.77.0.${number * 10}`;
  }

  get tap(): string { return `tap${this.number}`; }

  /** Resolves when it takes commands; about 1 s. */
  async boot(): Promise<void> {
    const folder = join(this.state, 'uml');
    mkdirSync(folder, { recursive: true });
    rmSync(join(folder, `guest${this.number}`), { recursive: true, force: true });
    const console = openSync(this.#console, 'w');
    const uml = spawn('linux.uml', this.#parameters(), { detached: true, stdio: ['ignore', console, console] });
    closeSync(console);
    uml.unref();
    await until(async () => await this.#answers() || hasEnded(uml), `guest ${this.number} is up`, 60_000);
    const said = readFileSync(this.#console, 'utf8');
    if (hasEnded(uml) || said.includes('guest: no SCTP')) throw new Error(`guest ${this.number} did not come up:\n${said.slice(-2_000)}`);
  }

  /** A fresh machine in its place: nothing runs, no association is left. */
  async reboot(): Promise<void> {
    for (const job of this.#jobs) job.abandon();
    this.#jobs.clear();
    const pid = Number(readFileSync(join(this.state, 'uml', `guest${this.number}`, 'pid'), 'utf8'));
    process.kill(-pid, 'SIGKILL'); // a guest is a group of processes; there is nothing it could lose
    await until(() => !isAlive(pid), `guest ${this.number} ends`);
    await this.boot();
  }

  /** A shell command, to its end. */
  async run(command: string): Promise<Outcome> {
    const job = new Job(this.address, command);
    job.hangUp();
    const status = await job.ended;
    return { status, out: job.lines.join('\n'), err: job.errors.join('\n') };
  }

  /** A shell command that goes on; `stop` or `rest` ends it. */
  start(command: string): Job {
    const job = new Job(this.address, command);
    this.#jobs.add(job);
    void job.ended.then(() => this.#jobs.delete(job));
    return job;
  }

  /** Signals a job's process group. */
  async signal(job: Job, signal: 'CONT' | 'INT' | 'KILL' | 'STOP' | 'TERM'): Promise<void> {
    await this.run(`kill -${signal} -- -${await job.group}`);
  }

  /** The same, and waits for its end. */
  async stop(job: Job, signal: 'INT' | 'KILL' | 'TERM' = 'INT'): Promise<number | undefined> {
    await this.signal(job, signal);
    return job.ended;
  }

  /** Kills what runs; its kernel tells the other ends. */
  async endJobs(): Promise<void> {
    await Promise.all([...this.#jobs].map(async (job) => this.stop(job, 'KILL')));
  }

  /** Ends its jobs, and boots it anew where that leaves associations or ports in use: those of a silent death last for minutes. */
  async rest(): Promise<void> {
    await this.endJobs();
    const { out } = await this.run(quiet);
    if (out !== '0') await this.reboot();
  }

  get #console(): string { return join(this.state, `guest${this.number}.console`); }

  #parameters(): string[] {
    const mac = `02:77:00:00:00:0${this.number}`;
    return [
      `umid=guest${this.number}`, `uml_dir=${join(this.state, 'uml')}/`, 'mem=160M', 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet',
      'con=null', 'con0=null,fd:1', 'con1=null', 'ssl=null', `eth0=tuntap,${this.tap},${mac}`,
      `init=${join(scripts, 'init.sh')}`, `lab_guest=${scripts}`, `lab_address=${this.address}`, `lab_port=${AGENT_PORT}`,
    ];
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.address, port: AGENT_PORT, timeout: 1_000 });
      const tell = (up: boolean) => () => { socket.destroy(); resolve(up); };
      socket.once('connect', tell(true)).once('error', tell(false)).once('timeout', tell(false));
    });
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** A zombie is not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
