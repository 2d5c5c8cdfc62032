//! The tests of a manifest over the connection of a user's connector, so that they prove it with a real credential.

use loggia::client::Client;
use loggia::model::CallToolResult;
use loggia::service::BoxFuture;
use loggia::wire::JsonObject;
use loggia_connect::connector_test::{TestReport, ToolCaller, run_live};
use loggia_connect::manifest::ConnectorManifest;

use crate::{ConnectorContext, GatewayConfig};

struct ConnectionCaller(Client);

impl ToolCaller for ConnectionCaller {
    fn call(&self, tool: &str, arguments: &JsonObject) -> BoxFuture<'_, Result<CallToolResult, String>> {
        let called = self.0.call_tool(tool.to_owned(), arguments.clone());
        Box::pin(async move { called.await.map_err(|error| error.to_string()) })
    }
}

impl GatewayConfig {
    /// Runs the tests of a manifest with the connector that has its name; `None` if there is no such connector. Only tests
    /// whose tools read are run.
    pub async fn test_connector(
        &self,
        manifest: &ConnectorManifest,
        context: &ConnectorContext,
    ) -> Option<loggia::Result<TestReport>> {
        let connected = self.connect(&manifest.name, Client::builder(), context).await?;
        match connected {
            Ok(client) => Some(Ok(run_live(manifest, &ConnectionCaller(client)).await)),
            Err(error) => Some(Err(error)),
        }
    }
}
