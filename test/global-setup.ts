/** Runs once around a whole test run; starts what the tests share and takes it down again. */
export async function setup(): Promise<void> {}
