// Package rulefile is promotions as files: a folder of YAML with the promotions, the project's declarations and tests of both. It reads them with the place of
// everything, so that what is wrong is told as file, line and column, and it writes promotions back. It knows no server and evaluates nothing.
package rulefile
