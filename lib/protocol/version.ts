/**
 * The version of mq, from deno.json.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };

/** The version of mq, by Semantic Versioning. */
export const VERSION: string = config.version;
