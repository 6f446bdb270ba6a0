/** What a bundler makes one file of, with the scripts of the package in it. */
export { createLockService, LockError } from 'nestjs-distributed-lock';
