import { Job } from './agent.js';
import { Lab } from './lab.js';

/** `node dist/test/interop/lab/run.js GUEST COMMAND` in a lab's shell: a command in a guest; `drop`, `undrop` and `encapsulate` are the lab's own. */
const [number = '', ...words] = process.argv.slice(2);
const lab = Lab.current();
const command = words.join(' ');
if (command === 'drop') await lab.drop(Number(number));
else if (command === 'undrop') await lab.undrop(Number(number));
else if (command === 'encapsulate') await lab.encapsulate(Number(number));
else {
  const job = new Job(lab.guest(Number(number)).address, command);
  job.hangUp();
  process.exitCode = await job.ended ?? 1;
  process.stdout.write(job.lines.map((line) => `${line}\n`).join(''));
  process.stderr.write(job.errors.map((line) => `${line}\n`).join(''));
}
