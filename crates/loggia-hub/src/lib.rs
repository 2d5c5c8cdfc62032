//! Many connectors composed into one MCP server.
