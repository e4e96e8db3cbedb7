import { fuzz } from '../transports/sctp/fuzz.js';

/** The long form: `npm run fuzz:sctp -- [packets] [seed]`, 1 000 000 by default. */
const [packets = 1_000_000, first = 1] = process.argv.slice(2).map(Number);
const ROUND = 50_000;
let errors = 0;
let slowest = 0;
for (let seed = first, left = packets; left > 0; seed += 1, left -= ROUND) {
  const report = await fuzz(Math.min(ROUND, left), seed, () => performance.now());
  errors += report.errors;
  slowest = Math.max(slowest, report.slowest);
  console.log(`seed ${seed}: ${report.packets} packets, ${report.errors} errors, slowest 200 packets ${report.slowest.toFixed(0)} ms, heap ${(report.heap / 2 ** 20).toFixed(0)} MiB`);
}
console.log(`${packets} packets, ${errors} errors, slowest 200 packets ${slowest.toFixed(0)} ms`);
process.exitCode = errors === 0 ? 0 : 1;
