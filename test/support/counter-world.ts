import type { ServiceAccessPoint } from '../../actors/access-point.js';
import type { Session } from '../../actors/session.js';
import { RegistrarWorld } from './registrar-world.js';
import { World } from '../../testing/world.js';

/** A pool of counters with a real registrar and one user, on a simulated network: what the models of the user's view are held against. */
export class CounterWorld {
  readonly replies: string[] = [];
  readonly failovers: number[] = [];
  readonly #elements = new Map<number, { readonly name: string; readonly accessPoint: ServiceAccessPoint }>();
  #started = 0;
  #sent = 0;
  #user: ServiceAccessPoint | undefined;
  session: Session | undefined;

  private constructor(readonly setting: RegistrarWorld) {}

  static async create(seed: number): Promise<CounterWorld> {
    return new CounterWorld(await RegistrarWorld.start({}, new World({ seed })));
  }

  get elements(): number { return this.#elements.size; }
  get sent(): number { return this.#sent; }

  async startElement(): Promise<void> {
    const identifier = ++this.#started;
    const name = `pe${identifier}`;
    const accessPoint = await this.setting.accessPoint(name);
    await this.#settled(accessPoint.register('counter', { identifier }, (session) => {
      let count = 0;
      session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
      session.on('data', (data) => {
        session.setCookie(String(++count));
        void session.send(`${data.toString()}=${count}`);
      });
    }));
    this.#elements.set(identifier, { name, accessPoint });
  }

  /** @returns the error's code where it fails. */
  async connect(): Promise<string> {
    this.#user ??= await this.setting.accessPoint('pu');
    try {
      const session = await this.#settled(this.#user.connect('counter', { failoverTimeout: 600_000 }));
      session.on('data', (data) => { this.replies.push(data.toString()); });
      session.on('failover', ({ to }) => { this.failovers.push(to); });
      this.session = session;
      return 'connected';
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  request(): void { void this.session!.send(String(++this.#sent)); }

  /** Of the element that serves the session, or of any when it is none of those that live. */
  crash(peersSee: 'reset' | 'end' | 'nothing'): void {
    const [identifier, { name }] = this.#serving();
    this.#elements.delete(identifier);
    this.setting.world.host(name).process.crash({ peersSee });
  }

  /** Stops it for so long; it comes back. */
  async freeze(span: number): Promise<void> {
    const { process } = this.setting.world.host(this.#serving()[1].name);
    process.freeze();
    await this.setting.world.advance(span);
    process.thaw();
  }

  async drain(): Promise<void> {
    const [identifier, { accessPoint }] = this.#serving();
    this.#elements.delete(identifier);
    await this.#settled(Promise.all([...accessPoint.elements].map((element) => element.drain())));
  }

  async quiet(): Promise<void> { await this.#settled(this.session!.flush()); }
  async advance(span: number): Promise<void> { await this.setting.world.advance(span); }

  /** What a user may expect whatever happened: each request answered once, in order, by a counter that never jumped. */
  get expected(): string[] { return Array.from({ length: this.#sent }, (_, index) => `${index + 1}=${index + 1}`); }

  #serving(): [number, { readonly name: string; readonly accessPoint: ServiceAccessPoint }] {
    const identifier = this.session?.peIdentifier;
    const serving = identifier === undefined ? undefined : this.#elements.get(identifier);
    return serving ? [identifier!, serving] : [...this.#elements][0]!;
  }

  #settled<T>(promise: Promise<T>): Promise<T> { return this.setting.world.settled(promise, 700_000); }
}
