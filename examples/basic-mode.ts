/** Basic Mode (mapping 0x00): the pool only names servers of any kind; their users talk to them in their own way, and say when one has failed. */
import { createRegistrar, initialize, priority } from '../index.js';

const registrar = await createRegistrar({ asap: ['tcp://127.0.0.1:0'] });
const rsp = await initialize({ registrars: registrar.asap });
await rsp.register('web', { mapping: 'none', address: 'tcp://127.0.0.1:8001', policy: priority({ priority: 1 }) });
await rsp.register('web', { mapping: 'none', address: 'tcp://127.0.0.1:8002', policy: priority({ priority: 2 }) });

const { elements } = await rsp.resolve('web');
console.log(`${elements.length} servers`);
console.log('first', (await rsp.getPrimaryServer('web')).address);
console.log('next', (await rsp.getNextServer('web')).address); // the first one has failed us

await rsp.close();
await registrar.close();
