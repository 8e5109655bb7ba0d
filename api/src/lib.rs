//! The shapes that Hearth's REST interface, configuration and web app share.
