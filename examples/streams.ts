/** A session over SCTP: streams that do not hold each other up, messages without an order, and what SCTP knows of the path. All in one process, to be read from top to bottom. */
import { createRegistrar, initialize, type ServiceSession } from '../index.js';

const [REPORTS, QUESTIONS, READINGS] = [1, 2, 3];

await using registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
await using service = await initialize({ registrars: registrar.asap });
await using user = await initialize({ registrars: registrar.asap });

/** Reports take long; whoever asks something else on another stream is answered meanwhile. */
function office(session: ServiceSession): void {
  session.on('data', async (data, info) => {
    if (info.stream === REPORTS) await new Promise((done) => { setTimeout(done, 200); });
    await info.reply(`${data.toString()}, on stream ${info.stream}`);
  });
}
await service.register('office', { listen: ['sctp+udp://127.0.7.1:0'] }, office); // UDP port 9899 of an address of its own

await using session = await user.connect('office', { deliveryMode: 'at-least-once' });
session.on('data', (data, { stream }) => { console.log(`${data.toString()}, answered on ${stream}`); });
void session.send('the yearly report', { stream: REPORTS });
void session.send('a quick question', { stream: QUESTIONS });
for (const reading of [1, 2, 3]) void session.send(`reading ${reading}`, { stream: READINGS, unordered: true }); // none waits for one that got lost
await session.flush();

const { mapping, rtt, rto, pathMtu } = session.transportInfo();
console.log(`${mapping}: rtt known ${rtt !== undefined}, rto known ${rto !== undefined}, path MTU ${pathMtu}`);
