import type { Agent } from './agent.js';
import type { Surroundings } from './surroundings.js';

/** What an agent needs of the line it belongs to. */
export interface AgentHost {
  readonly around: Surroundings;
  readonly process: string;
  /** The agent has neither callers nor anything at the store. */
  idle(agent: Agent): void;
}
