import { AsapClient, registration } from '../asap-client.js';
import { inputOf, serveParent } from '../child.js';

/** Pool elements by name only: registered, and they acknowledge keep-alives. */
const { registrar, pools, elements } = inputOf<{ registrar: string; pools: number; elements: number }>();
for (let identifier = 1; identifier <= elements; identifier++) {
  const client = await AsapClient.connect(registrar);
  await Promise.all(Array.from({ length: pools }, (_, pool) => client.ask(registration(pool, identifier))));
}
serveParent({});
