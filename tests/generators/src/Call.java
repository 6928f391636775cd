// Calls the kitchen with the client of openapi-generator's java.
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.KitchenServiceApi;
import org.openapitools.client.model.KitchenV1DishInput;

class Call {
    public static void main(String[] args) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(args[0]);
        KitchenServiceApi api = new KitchenServiceApi(client);
        String got = api.kitchenServiceGetDish("7", null).getId();
        String made = api.kitchenServiceCreateDish(new KitchenV1DishInput().title("Stew"), "8", null).getTitle();
        int ticks = api.kitchenServiceTick(2, null, null).size();
        int missing = 0;
        try {
            api.kitchenServiceGetDish("missing", null);
        } catch (ApiException refused) {
            missing = refused.getCode();
        }
        System.out.println(got + " " + made + " " + ticks + " " + missing);
    }
}
