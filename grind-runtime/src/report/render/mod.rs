//! Shapes of reports, one a file; [`Kind`] is the table of them. Most show the `sections` of a finding.

pub mod github;
mod gitlab;
#[cfg(feature = "html")]
mod html;
pub mod human;
pub mod json;
#[cfg(feature = "reports")]
mod junit;
mod kind;
mod limits;
pub mod markdown;
mod options;
pub mod paths;
#[cfg(feature = "reports")]
mod sarif;
mod sections;
pub mod source;
mod tsan;

pub use kind::Kind;
pub use options::Options;
