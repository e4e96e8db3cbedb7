import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { CaptureError } from '../../../cli/capture/error.js';
import { capturedMessages } from '../../../cli/capture/messages.js';
import { decodeAsap, decodeEnrp } from '../../../wire/index.js';
import { pause, until } from './until.js';

const execute = promisify(execFile);

/** A recording of the lab's bridge, and what tshark reads in it. */
export class Capture {
  private constructor(readonly file: string, private readonly recorder: ChildProcess) {}

  static async start(file: string): Promise<Capture> {
    const recorder = spawn('dumpcap', ['-q', '-P', '-i', 'br0', '-f', 'sctp or udp', '-w', file], { stdio: 'ignore' });
    await until(() => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0, `dumpcap records into ${file}`);
    await pause(SETTLING);
    return new Capture(file, recorder);
  }

  /** Resolves once so many messages of these names are recorded. */
  async has(wanted: Readonly<Record<string, number>>): Promise<void> {
    const enough = (): boolean => {
      const found = this.count();
      return Object.entries(wanted).every(([name, count]) => (found[name] ?? 0) >= count);
    };
    await until(enough, `${this.file} has ${JSON.stringify(wanted)}`);
  }

  /** Messages recorded so far, by their names. */
  count(): Readonly<Record<string, number>> {
    const found: Record<string, number> = {};
    try {
      for (const { protocol, bytes } of capturedMessages(readFileSync(this.file))) {
        const { type } = (protocol === 'ASAP' ? decodeAsap(bytes) : decodeEnrp(bytes)).message;
        found[type] = (found[type] ?? 0) + 1;
      }
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error; // its last packet is being written
    }
    return found;
  }

  async stop(): Promise<void> {
    await pause(SETTLING); // what the kernel has not handed over yet would be lost
    if (this.recorder.exitCode !== null) return;
    const ended = once(this.recorder, 'exit');
    this.recorder.kill('SIGINT');
    await ended;
  }

  /** Of each frame that matches the display filter: when it came (seconds of the epoch), and its fields' values. */
  async fields<Name extends string>(filter: string, names: readonly Name[]): Promise<ReadonlyArray<{ readonly time: number } & Readonly<Record<Name, string>>>> {
    const columns = ['frame.time_epoch', ...names].flatMap((name) => ['-e', name]);
    const { stdout } = await execute('tshark', ['-r', this.file, '-Y', filter, '-T', 'fields', ...columns], { maxBuffer: 1 << 28 });
    return stdout.split('\n').filter((line) => line !== '').map((line) => {
      const [time, ...values] = line.split('\t');
      return { time: Number(time), ...Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])) } as { time: number } & Record<Name, string>;
    });
  }

  /** tshark's full dissection. */
  async pdml(filter: string): Promise<string> {
    return (await execute('tshark', ['-r', this.file, '-Y', filter, '-T', 'pdml'], { maxBuffer: 1 << 30 })).stdout;
  }
}

const SETTLING = 300;
