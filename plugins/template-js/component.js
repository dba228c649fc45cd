/** What is built: the connector behind the contract's exported functions. */

import { expose } from "../sdk-js/guest.js";
import definition from "./connector.js";

export const connector = expose(definition);
