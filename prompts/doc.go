// Package prompts offers walks through the tools: those of this program (builtin/, one Markdown file each), the owner's own from a folder
// (prompts.d/*.md), and recipes of several calls (prompts.d/*.yaml), which a terminal runs and a client is offered as a prompt. A prompt is shown
// where the tools that it needs are. What a user writes is parsed and bounded here; what a recipe does goes through the tools, and so through
// policy and the engine of changes, like any other call.
package prompts
