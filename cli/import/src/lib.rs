//! The CORS settings of other systems: read from their own files, written as policies, with a report of the requests that they judge differently.
