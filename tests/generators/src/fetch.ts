// Calls the kitchen with the client of openapi-generator's typescript-fetch.
import { Configuration, KitchenServiceApi, ResponseError } from "../../../build/generators/made/kitchen/typescript-fetch";

const api = new KitchenServiceApi(new Configuration({ basePath: process.argv[2] }));
const got = await api.kitchenServiceGetDish({ dishId: "7" });
const made = await api.kitchenServiceCreateDish({ dishId: "8", kitchenV1DishInput: { title: "Stew" } });
const ticks = await api.kitchenServiceTick({ count: 2 });
const missing = await api.kitchenServiceGetDish({ dishId: "missing" }).catch((error: ResponseError) => error.response.status);
console.log(got.id, made.title, ticks.length, missing);
