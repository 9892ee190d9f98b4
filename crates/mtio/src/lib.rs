//! struct mtop, mtget and mtpos as typed values, for 64- and 32-bit callers.
