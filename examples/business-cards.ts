/** Peers: `business-cards.js` shows a ticker that goes on with a client's peer when the client is killed (draft-ietf-rserpool-service §3.3, §4.5.3). The desks, elements of the pool `desks` and clients of the
 *  pool `ticker`, are processes of their own: this file again, `business-cards.js REGISTRAR IDENTIFIER [PREFERRED]`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createRegistrar, initialize, type ServiceSession } from '../index.js';

const [registrarOfDesk, identifier, preferred] = process.argv.slice(2);
if (registrarOfDesk === undefined) await ticker(); else await desk(registrarOfDesk, Number(identifier), preferred);

/** Sends each client a number now and then; nobody asks for them. */
async function ticker(): Promise<void> {
  const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
  const rsp = await initialize({ registrars: registrar.asap });
  const lost = new Promise<ServiceSession>((resolve) => {
    void rsp.register('ticker', { listen: ['tcp://127.0.0.1:0'], identifier: 100 }, (session) => {
      session.on('data', async (data, { from }) => { // a client has come: its business card says which desk it is
        console.log(`${data.toString()}, says desk ${from?.identifier ?? 'unknown'}`);
        await session.send('1');
      });
      session.on('rendezvous', ({ from, to }) => { // without a listener a lost client is a closed session
        console.log(`desk ${from?.identifier ?? 'unknown'} is lost; desk ${to.identifier} takes its place`);
        resolve(session);
      });
    });
  });
  const desks = [start(registrar.asap[0]!, '2'), start(registrar.asap[0]!, '3')];
  await Promise.all(desks.map(async (each) => each.says('is registered')));
  const first = start(registrar.asap[0]!, '1', '3'); // it would like desk 3 to follow
  await first.says('hears 1');
  first.process.kill('SIGKILL');
  const session = await lost;
  await session.send('2');
  await desks[1]!.says('hears 2');
  session.close();
  for (const each of desks) each.process.kill();
  await rsp.close();
  await registrar.close();
}

/** Pool element and pool user in one. */
async function desk(registrar: string, number: number, successor: string | undefined): Promise<void> {
  const rsp = await initialize({ registrars: [registrar] });
  await rsp.register('desks', { listen: ['tcp://127.0.0.1:0'], identifier: number, rendezvous: true }, (session) => { // takes over from other desks
    session.on('data', (data) => { console.log(`desk ${number} hears ${data.toString()}${session.rendezvous ? ' in another\'s place' : ''}`); });
  });
  console.log(`desk ${number} is registered`);
  if (successor === undefined) return;
  await rsp.setBusinessCard('desks', [{ handle: 'desks', identifier: Number(successor) }]);
  const session = await rsp.connect('ticker');
  session.on('data', (data) => { console.log(`desk ${number} hears ${data.toString()}`); });
  await session.send('hello');
}

function start(...args: readonly string[]): { readonly process: ChildProcess; says(words: string): Promise<void> } {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  let look: () => void = () => undefined;
  createInterface({ input: child.stdout }).on('line', (line) => { console.log(line); said.push(line); look(); });
  return {
    process: child,
    says: async (words) => new Promise<void>((resolve) => { look = () => { if (said.some((line) => line.includes(words))) resolve(); }; look(); }),
  };
}
