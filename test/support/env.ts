/** A real llama-server for the protocol tests, from COPPICE_TEST_LLAMA_URL; null when there is none. */
export const llamaUrl: string | null = process.env['COPPICE_TEST_LLAMA_URL']?.replace(/\/$/, '') || null;
