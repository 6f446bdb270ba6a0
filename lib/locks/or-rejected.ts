/** Bad input is a rejection, as every other failure of an asynchronous call. */
export function orRejected<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return new Promise(() => {
      throw error; // as it is, whatever was thrown
    });
  }
}
