// Calls the kitchen with the client of hey-api.
import { createClient } from "../../../build/generators/made/kitchen/hey/client";
import { kitchenServiceCreateDish, kitchenServiceGetDish, kitchenServiceTick } from "../../../build/generators/made/kitchen/hey/sdk.gen";

const client = createClient({ baseUrl: process.argv[2] });
const got = await kitchenServiceGetDish({ client, path: { dishId: "7" } });
const made = await kitchenServiceCreateDish({ client, query: { dishId: "8" }, body: { title: "Stew" } });
const ticks = await kitchenServiceTick({ client, query: { count: 2 } });
const missing = await kitchenServiceGetDish({ client, path: { dishId: "missing" } });
console.log(got.data?.id, made.data?.title, ticks.data?.length, missing.response?.status);
