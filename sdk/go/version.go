package artificer

// Version is the version of this module. The user agent has it.
const Version = "0.2.0-dev"
