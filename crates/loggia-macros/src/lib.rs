//! The attributes and derives of the loggia SDK.
