import { parseArgs } from 'node:util';
import { Child } from './child.js';
import { download } from './download.js';
import { failover } from './failover.js';
import type { Row, Run } from './measure.js';
import { registrars } from './registrars.js';
import { registrations } from './registrations.js';
import { replication } from './replication.js';
import { resolutions } from './resolutions.js';
import { sctp } from './sctp.js';
import { selection } from './selection.js';
import { sessions } from './sessions.js';
import { machine, table } from './table.js';
import { takeover } from './takeover.js';
import { traffic } from './traffic.js';

/** npm run bench -- [--only NAME]... [--rounds N] [--short] [--json]: ours beside bare `node:net`, in turn, medians of the rounds. Nothing here fails by its time. */
const subjects: Readonly<Record<string, (run: Run) => Promise<Row[]>>> = { sessions, sctp, resolutions, failover, registrations, replication, selection, registrars, takeover, download, traffic };

process.once('exit', () => { Child.killAll(); });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => { process.exit(1); });

const { values } = parseArgs({ options: {
  only: { type: 'string', multiple: true }, rounds: { type: 'string' }, short: { type: 'boolean', default: false }, json: { type: 'boolean', default: false },
} });
const { only: names = Object.keys(subjects), short, json } = values;
const unknown = names.filter((name) => !(name in subjects));
const rounds = Number(values.rounds ?? (short ? 1 : 5));
if (unknown.length > 0) refuse(`there is no ${unknown.join(', ')}; there are ${Object.keys(subjects).join(', ')}`);
if (!Number.isInteger(rounds) || rounds < 1) refuse('--rounds wants a number, at least 1');

const run: Run = { rounds, scale: short ? 0.05 : 1 };
const rows: Row[] = [];
for (const name of names) {
  process.stderr.write(`${name} ...\n`);
  rows.push(...await subjects[name]?.(run) ?? []);
}
process.stdout.write(json ? `${JSON.stringify({ machine: machine(), ...run, rows }, undefined, 2)}\n` : `${machine()}; medians of ${rounds}\n\n${table(rows)}\n`);
process.exit();

function refuse(why: string): never {
  process.stderr.write(`bench: ${why}\n`);
  process.exit(2);
}
