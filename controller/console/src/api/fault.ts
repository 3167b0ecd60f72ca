// Whatever went wrong, as a sentence for people: what happened, and where it helps what to do. The controller's own sentences
// are passed on.
import { Code, ConnectError } from '@connectrpc/connect';
import { Refusal } from '../trust/refusal';
import { shown } from '../trust/text';

const CANNOT_REACH = 'The controller cannot be reached. What you see is as it was; this page tries again.';

function finish(from: string): string {
  const text = shown(from);
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

// fetch() itself failed: nothing was answered.
const isNetwork = (error: unknown): boolean =>
  error instanceof TypeError || (error instanceof ConnectError && error.cause instanceof TypeError);

export function sentence(error: unknown): string {
  if (error instanceof Refusal) return finish(error.message);
  if (isNetwork(error)) return CANNOT_REACH;
  if (error instanceof ConnectError) {
    if (error.code === Code.Unavailable && !error.rawMessage) return CANNOT_REACH;
    if (error.code === Code.DeadlineExceeded) return finish(error.rawMessage || 'The controller took too long: try again');
    if (error.code === Code.Canceled) return 'It was cancelled.';
    return finish(error.rawMessage || `the controller refused it (${Code[error.code]})`);
  }
  return finish(error instanceof Error && error.message ? error.message : 'something went wrong in this page: load it again');
}

// Nothing is wrong with what was asked: later it may work.
export const isAway = (error: unknown): boolean => isNetwork(error) || (error instanceof ConnectError &&
  (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded));

// What was looked at has changed meanwhile: look again.
export const isStale = (error: unknown): boolean => (error instanceof Refusal && error.stale) || (error instanceof ConnectError &&
  (error.code === Code.FailedPrecondition || error.code === Code.Aborted));
