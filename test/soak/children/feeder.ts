import { initialize, type ServiceSession } from '../../../index.js';
import { inputOf, serveParent } from '../../../bench/child.js';
import { resources } from '../resources.js';

/** A pool element that answers with as many bytes as it is asked for, and pushes to those who say so without waiting for anything. */
const { registrar } = inputOf<{ registrar: string }>();
const rsp = await initialize({ registrars: [registrar] });
const pushed: { readonly session: ServiceSession; refused: number }[] = [];
await rsp.register('feed', { listen: ['tcp://127.0.0.1:0'] }, (session) => {
  session.on('data', (data, info) => {
    if (data.toString() === 'push') pushed.push({ session, refused: 0 });
    else void info.reply(Buffer.alloc(Number(data.toString())));
  });
});
serveParent({}, {
  resources,
  push: ({ messages, bytes }: { messages: number; bytes: number }): void => {
    for (const each of pushed) for (let i = 0; i < messages; i++) each.session.send(Buffer.alloc(bytes)).catch(() => { each.refused += 1; });
  },
  refused: () => pushed.reduce((sum, { refused }) => sum + refused, 0),
});
