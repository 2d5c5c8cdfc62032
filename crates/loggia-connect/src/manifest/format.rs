//! The format of a connector manifest as data: the tables, their keys, and the form of each value.
//!
//! The reader checks a file against it and [`super::schema`] writes it as JSON Schema, so that editors and the reader
//! cannot disagree. Invariant: the reader asks for no key that is not here.

use super::ManifestBackendKind::{self as Kind, Builtin, GraphQl, OpenApi, Remote, Stdio};
use crate::config_file::BUILTIN_NAMES;

/// The form of a value.
pub(super) enum ValueFormat {
    Text,
    /// A text that matches a pattern; the second text says how to write it.
    Pattern(&'static str, &'static str),
    /// A text with `${config.NAME}` and `${credential}`.
    Template,
    /// A jq filter.
    Filter,
    Url,
    Choice(&'static [&'static str]),
    Boolean,
    Integer,
    Number,
    /// A length of time: `"30s"`.
    Duration,
    /// A number of bytes: `"256KiB"`.
    Size,
    /// Requests in a time: `"3/s"`.
    Rate,
    Any,
    List(&'static ValueFormat),
    /// A table whose keys the author chooses.
    Map(&'static ValueFormat),
    Table(&'static TableFormat),
    /// A value of the first form, or of the second.
    Either(&'static ValueFormat, &'static ValueFormat),
}

/// A key of a table.
pub(super) struct KeyFormat {
    pub(super) name: &'static str,
    pub(super) value: ValueFormat,
    pub(super) is_required: bool,
    /// The kinds of backends that take the key; all of them if empty.
    pub(super) kinds: &'static [Kind],
    pub(super) description: &'static str,
}

/// A table.
pub(super) struct TableFormat {
    /// The name in the JSON Schema and in messages.
    pub(super) name: &'static str,
    pub(super) keys: &'static [KeyFormat],
}

impl TableFormat {
    pub(super) fn key(&self, name: &str) -> Option<&'static KeyFormat> {
        self.keys.iter().find(|key| key.name == name)
    }
}

const fn key(name: &'static str, value: ValueFormat, description: &'static str) -> KeyFormat {
    KeyFormat { name, value, is_required: false, kinds: &[], description }
}

impl KeyFormat {
    const fn required(self) -> KeyFormat {
        KeyFormat { is_required: true, ..self }
    }

    const fn of(self, kinds: &'static [Kind]) -> KeyFormat {
        KeyFormat { kinds, ..self }
    }
}

use ValueFormat::{
    Any, Boolean, Choice, Duration, Either, Filter, Integer, List, Map, Number, Pattern, Rate, Size, Table,
    Template, Text, Url,
};

/// Backends whose tools are written in the manifest.
const DIRECT: &[Kind] = &[OpenApi, GraphQl];
/// Backends whose tools an MCP server lists.
const UPSTREAM: &[Kind] = &[Remote, Stdio, Builtin];

pub(super) const CATEGORIES: &[&str] = &[
    "documents",
    "tasks",
    "code",
    "design",
    "payments",
    "crm",
    "monitoring",
    "chat",
    "mail",
    "calendar",
    "files",
    "data",
    "web",
    "system",
];
const CONFIG_TYPES: &[&str] = &["string", "number", "boolean", "file", "folder", "secret", "choice"];
const KINDS: &[&str] = &["remote", "stdio", "openapi", "graphql", "builtin"];
const AUTH_CLASSES: &[&str] = &[
    "none",
    "api_key",
    "basic",
    "dynamic_registration",
    "client_id_metadata",
    "preregistered",
    "allowlist",
    "enterprise",
];
const INPUT_TYPES: &[&str] = &["string", "integer", "number", "boolean", "array", "object"];

const CONNECTOR_NAME: ValueFormat =
    Pattern("^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$", "write small letters, digits and '-', as in \"my-crm\"");
const TOOL_NAME: ValueFormat =
    Pattern("^[a-z0-9_-]{1,64}$", "the name of a tool has small letters, digits, '_' and '-', at most 64");
const VERSION: ValueFormat =
    Pattern("^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.+-]+)?$", "write a version, for example \"1.0.0\"");
const REQUEST: ValueFormat = Pattern(
    "^(GET|HEAD|POST|PUT|PATCH|DELETE) /[^?#\\s]*$",
    "write a method and a path, for example \"GET /v1/pages/{id}\"",
);
const SENT_REQUEST: ValueFormat = Pattern(
    "^(GET|HEAD|POST|PUT|PATCH|DELETE) /[^#\\s]*$",
    "write a method and a path, with or without the query, for example \"GET /v1/pages/7?limit=25\"",
);
const DIGEST: ValueFormat = Pattern("^sha256:[0-9a-f]{64}$", "write \"sha256:\" and 64 hexadecimal digits");
const PACKAGE: ValueFormat = Pattern(
    "^(npm:(@[^@/\\s]+/)?[^@/\\s]+@[^@\\s]+|pypi:[A-Za-z0-9._-]+(\\[[^\\]\\s]*\\])?==[^=\\s]+|oci:[^\\s]+|mcpb:(https|file)://[^\\s]+)$",
    "write a package with its version: \"npm:@scope/name@1.2.3\", \"pypi:name==1.2.3\", \"oci:host/name:1.2.3\" or \
     \"mcpb:https://…\"",
);
const HOST: ValueFormat = Pattern(
    "^(\\*\\.)?[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*(:[0-9]+)?$|^[^\\s]*\\$\\{config\\.[a-z0-9_]+\\}[^\\s]*$",
    "write a host, for example \"api.example.com\" or \"*.example.com\"",
);

pub(super) static MANIFEST: TableFormat = TableFormat {
    name: "manifest",
    keys: &[
        key("name", CONNECTOR_NAME, "The name of the connector, which is the file's name.").required(),
        key("title", Text, "The name for people.").required(),
        key("version", VERSION, "The version of this manifest.").required(),
        key("description", Text, "One sentence for people: what it gives access to.").required(),
        key("website", Url, "The vendor's page."),
        key("icons", List(&Table(&ICON)), "Icons, as in server.json."),
        key("categories", List(&Choice(CATEGORIES)), "The categories to find it by."),
        key(
            "not_shown",
            List(&Text),
            "Sentences for the documentation: what tests with a mock of the vendor cannot show.",
        ),
        key(
            "config",
            Map(&Table(&CONFIG_FIELD)),
            "Values that the user gives, by name; used as ${config.NAME}.",
        ),
        key("backends", List(&Table(&BACKEND)), "The ways to reach the system, in order of preference.")
            .required(),
        key(
            "tests",
            List(&Table(&TEST)),
            "Calls that prove the connector with a real credential; reads only.",
        ),
    ],
};

static ICON: TableFormat = TableFormat {
    name: "icon",
    keys: &[
        key("src", Url, "The URL of the image.").required(),
        key("mime_type", Text, "The media type."),
        key("sizes", List(&Text), "The sizes, for example \"48x48\" or \"any\"."),
        key("theme", Choice(&["light", "dark"]), "The background that the icon is made for."),
    ],
};

static CONFIG_FIELD: TableFormat = TableFormat {
    name: "config_field",
    keys: &[
        key("type", Choice(CONFIG_TYPES), "The type of the value.").required(),
        key("title", Text, "The label of the field.").required(),
        key("description", Text, "The help for the field."),
        key("required", Boolean, "Whether a value must be given. Default: false."),
        key("default", Any, "The value where the user gives none; a secret has none."),
        key("pattern", Text, "A regular expression that a string or a secret matches."),
        key("min", Number, "The least number."),
        key("max", Number, "The greatest number."),
        key("choices", List(&Either(&Text, &Table(&CHOICE))), "The values of a choice."),
        key("multiple", Boolean, "Whether several files or folders may be given."),
    ],
};

static CHOICE: TableFormat = TableFormat {
    name: "choice",
    keys: &[key("value", Text, "The value.").required(), key("title", Text, "The label.")],
};

pub(super) static BACKEND: TableFormat = TableFormat {
    name: "backend",
    keys: &[
        key("kind", Choice(KINDS), "remote: an MCP server at a URL; stdio: a program; openapi: a REST API; graphql: a GraphQL API; builtin: a part of Loggia.").required(),
        key("name", TOOL_NAME, "The name of the backend, unique in the file. Default: the kind."),
        key("title", Text, "The name for people."),
        key("notes", List(&Text), "Facts that a person should know before, for example what an administrator must switch on."),
        key("unusable_when", Text, "One sentence: why a person may be unable to use it. The next backend is offered instead."),
        key("url", Template, "The endpoint.").of(&[Remote, GraphQl]),
        key("transport", Choice(&["http", "sse", "auto"]), "The transport. Default: http.").of(&[Remote]),
        key("headers", Map(&Template), "Headers of each request.").of(&[Remote, OpenApi, GraphQl]),
        key("package", PACKAGE, "The package to run, with its version.").of(&[Stdio]),
        key("digest", DIGEST, "The digest of the package, where its source has one.").of(&[Stdio]),
        key("command", Template, "The program to run, instead of a package.").of(&[Stdio]),
        key("args", List(&Template), "Its arguments.").of(&[Stdio]),
        key("env", Map(&Template), "Its environment variables.").of(&[Stdio]),
        key("cwd", Template, "The folder it runs in.").of(&[Stdio]),
        key("base_url", Template, "The URL that paths are added to.").of(&[OpenApi]),
        key("description", Text, "An OpenAPI description, a file or a URL: all its operations are tools.").of(&[OpenApi]),
        key("failure", Filter, "jq over a JSON response that is a success or a refusal: the HTTP status that it stands for; null if its own is right. Of a refusal only 401 counts.").of(&[OpenApi]),
        key("builtin", Choice(BUILTIN_NAMES), "The built-in connector.").of(&[Builtin]),
        key("options", Map(&Any), "The options of the built-in connector.").of(&[Builtin]),
        key("auth", Table(&AUTH), "The credential that the backend needs. Default: none."),
        key("network", Table(&NETWORK), "The network that the backend may use."),
        key("limits", Table(&LIMITS), "Bounds."),
        key("health", Table(&HEALTH), "A call that proves the credential."),
        key("tools", List(&Table(&TOOL)), "remote, stdio, builtin: settings of the server's tools. openapi, graphql: the tools."),
    ],
};

static AUTH: TableFormat = TableFormat {
    name: "auth",
    keys: &[
        key("class", Choice(AUTH_CLASSES), "The kind of credential.").required(),
        key("alternatives", List(&Choice(AUTH_CLASSES)), "Other kinds that the server takes too."),
        key("read_scopes", List(&Text), "OAuth scopes to read."),
        key("write_scopes", List(&Text), "OAuth scopes to write."),
        key("issuer", Url, "The authorization server, where discovery does not find it."),
        key("resource", Url, "The resource indicator, where it is not the URL of the server."),
        key("register_at", Url, "The registration endpoint, where the vendor states it."),
        key(
            "authorization_endpoint",
            Url,
            "The page at which the user signs in, where no metadata gives it.",
        ),
        key("token_endpoint", Url, "The endpoint that issues and renews tokens, where no metadata gives it."),
        key("authorize_params", Map(&Text), "Further parameters of the sign-in page."),
        key(
            "in",
            Choice(&["header", "query", "cookie"]),
            "The part of a request that the credential goes to. Default: header.",
        ),
        key("name", Text, "The name of the header, parameter or cookie. Default: Authorization."),
        key(
            "value",
            Template,
            "The value. Default: \"Bearer ${credential}\"; for basic, user and password in base64.",
        ),
        key("credential", Table(&CREDENTIAL), "The field that asks for the credential."),
        key("steps", List(&Table(&STEP)), "What a person does at the vendor, in order."),
    ],
};

static CREDENTIAL: TableFormat = TableFormat {
    name: "credential",
    keys: &[
        key("title", Text, "The label.").required(),
        key("description", Text, "The help."),
        key("pattern", Text, "A regular expression that the credential matches."),
    ],
};

static STEP: TableFormat = TableFormat {
    name: "step",
    keys: &[key("text", Text, "One sentence.").required(), key("link", Url, "The page to open.")],
};

static NETWORK: TableFormat = TableFormat {
    name: "network",
    keys: &[key(
        "allow",
        List(&HOST),
        "The hosts that the backend may reach; \"*.example.com\" is every host below it.",
    )
    .required()],
};

static LIMITS: TableFormat = TableFormat {
    name: "limits",
    keys: &[
        key("rate", Rate, "The most requests, for example \"3/s\", \"100/min\", \"1000/h\"."),
        key("timeout", Duration, "The time of one request."),
        key("max_result", Size, "The longest result."),
        key("idempotency_header", Text, "A header that each POST gets, with a fresh value."),
    ],
};

static HEALTH: TableFormat = TableFormat {
    name: "health",
    keys: &[
        key("tool", TOOL_NAME, "A tool of this backend."),
        key("arguments", Map(&Any), "Its arguments."),
        key("request", REQUEST, "A request, instead of a tool.").of(&[OpenApi]),
        key("account", Filter, "jq over the result: a name of the account, for people."),
    ],
};

pub(super) static TOOL: TableFormat = TableFormat {
    name: "tool",
    keys: &[
        key("name", TOOL_NAME, "The name that clients see.").required(),
        key("from", Text, "The name that the server gives it. Default: name.").of(UPSTREAM),
        key("title", Text, "The name for people."),
        key("description", Text, "For a model: what it returns, when to use it, units, limits."),
        key(
            "class",
            Choice(&["read", "write", "destructive"]),
            "What a call does. Required for openapi and graphql.",
        ),
        key("enabled", Boolean, "Whether it is served. Default: true; false for destructive tools."),
        key("confirm", Boolean, "Whether the user is asked before each call."),
        key(
            "defer",
            Boolean,
            "Whether a gateway leaves it out of its list of tools. It can be called, and `loggia tools NAME` lists it.",
        ),
        key(
            "fixed",
            Map(&Any),
            "Arguments that callers neither see nor set. An input of the same name says where one goes.",
        ),
        key("rename", Map(&Text), "The caller's name of an argument = the server's name.").of(UPSTREAM),
        key("defaults", Map(&Any), "Arguments where the caller gives none."),
        key("result", Filter, "jq over the JSON result."),
        key("operation", Text, "The vendor's operationId.").of(&[OpenApi]),
        key("request", REQUEST, "The method and the path.").of(&[OpenApi]),
        key("accept", Text, "The Accept header.").of(&[OpenApi]),
        key(
            "body",
            Filter,
            "jq from the arguments to the body. Default: each input in the body is a member.",
        )
        .of(&[OpenApi]),
        key(
            "content_type",
            Choice(&["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]),
            "The media type of the body. Default: application/json.",
        )
        .of(&[OpenApi]),
        key("output", Choice(&["json", "text", "binary"]), "The form of the response. Default: json.")
            .of(&[OpenApi]),
        key("document", Text, "The GraphQL document.").of(&[GraphQl]),
        key(
            "variables",
            Filter,
            "jq from the arguments to the variables. Default: each input is a variable.",
        )
        .of(&[GraphQl]),
        key("paging", Table(&PAGING), "How further pages are asked for.").of(DIRECT),
        key("input", Map(&Table(&INPUT)), "The arguments, in the order that models see.").of(DIRECT),
    ],
};

static PAGING: TableFormat = TableFormat {
    name: "paging",
    keys: &[
        key(
            "kind",
            Choice(&["cursor", "link", "page", "offset"]),
            "cursor: the result names the next cursor; link: the Link header; page: a number; offset: a number of items. Default: cursor.",
        ),
        key(
            "cursor",
            Text,
            "The wire's name of the parameter, body member or variable that takes the cursor.",
        )
        .required(),
        key(
            "next",
            Filter,
            "jq over the whole result: the next cursor; null ends. Needed for cursor. For page and offset, true means that there is a next page; without next, a full page means it.",
        ),
        key("size", Text, "The wire's name of the page size."),
        key("default_size", Integer, "The page size that is sent."),
        key("max_size", Integer, "The greatest page size."),
    ],
};

static INPUT: TableFormat = TableFormat {
    name: "input",
    keys: &[
        key("type", Choice(INPUT_TYPES), "The JSON type."),
        key("description", Text, "For a model.").required(),
        key("required", Boolean, "Whether callers must give it."),
        key("in", Choice(&["path", "query", "header", "cookie", "body"]), "The part of the request. Default: path where the template names it; query for GET, HEAD and DELETE; else body.").of(&[OpenApi]),
        key("as", Text, "The wire's name, where it differs; dots nest inside a body."),
        key("enum", List(&Any), "The values."),
        key("default", Any, "The value where the caller gives none."),
        key("minimum", Number, "The least number."),
        key("maximum", Number, "The greatest number."),
        key("items", Map(&Any), "A JSON Schema of the items of an array."),
        key("schema", Map(&Any), "A JSON Schema, instead of type, enum and items."),
    ],
};

static TEST: TableFormat = TableFormat {
    name: "test",
    keys: &[
        key("tool", TOOL_NAME, "A tool; one that reads, unless the exchanges are recorded.").required(),
        key("arguments", Map(&Any), "Its arguments."),
        key("expect", Filter, "jq over the result that gives true."),
        key("fails", Text, "A part of the error that the call returns, instead of expect."),
        key("backend", Text, "The name of the backend. Default: each that has the tool."),
        key("config", Map(&Any), "Values of the user for recorded exchanges. Default: examples."),
        key(
            "exchanges",
            List(&Table(&EXCHANGE)),
            "The requests that the call sends, with the responses to answer from: the test needs no vendor.",
        ),
    ],
};

static EXCHANGE: TableFormat = TableFormat {
    name: "exchange",
    keys: &[
        key(
            "request",
            SENT_REQUEST,
            "The method and the path below the base URL; a query is compared if it is here.",
        )
        .required(),
        key("body", Any, "The JSON body that is sent, if it is compared."),
        key("status", Integer, "The status of the response. Default: 200."),
        key(
            "headers",
            Map(&ValueFormat::Text),
            "Headers of the response. Default: content-type application/json.",
        ),
        key("response", Any, "The body of the response: a text, or a value that is written as JSON."),
    ],
};
