import {
  type OpenStore,
  storeContract,
  type StoreContractOptions,
} from '../../lib/testing/contract/store-contract.js';

/** Gives jest the contract that the package exports, a test for each case. */
export function testStoreContract(open: OpenStore, options?: StoreContractOptions): void {
  const contract = storeContract(open, options);
  afterAll(() => contract.close());
  for (const { name, run } of contract.cases) it(name, run);
}
