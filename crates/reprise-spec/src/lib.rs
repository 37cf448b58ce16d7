//! The files people write, parsed into values with spans and diagnostics.
//!
//! `estate.yaml` and `runbook.yaml` become [`reprise_model::Estate`] and
//! [`reprise_model::Runbook`]; every mistake in them is collected and shown
//! at its line. One declaration (`shape`) of keys and types drives both the
//! checks and the JSON schemas. Beside them: lists of sites, selections,
//! `${NAME}` references, and templates.
//!
//! The crate is pure: only the `load_*` functions read a file, and none reads
//! the environment or a clock.

mod diagnostic;
mod digest;
mod env_file;
mod environment;
mod estate;
mod load;
mod nearest;
mod reference;
mod runbook;
mod selection;
mod shape;
mod sites_csv;
mod template;
mod texts;
mod version;
mod yaml;

pub use diagnostic::{Code, Diagnostic, Diagnostics};
pub use digest::{digest_of_estate, digest_of_runbook};
pub use environment::{
    Environment, MissingVariable, live_place, missing_step_variables, missing_variables,
    tenant_place, variables_in,
};
pub use estate::{estate_schema, parse_estate};
pub use load::{load_estate, load_runbook, load_text};
pub use runbook::{check_runbook_against, parse_runbook, runbook_schema};
pub use selection::{SelectedId, Selection, SelectionError, read_site_list};
pub use sites_csv::read_sites_csv;
pub use template::{Scene, Template, TemplateError};
pub use yaml::yaml_to_json;
