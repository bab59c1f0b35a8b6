package core

// What SignalInfo.Code says on other systems. On Windows it is 0.
const (
	CodeUser = 1 + iota
	CodeQueue
	CodeThread
	CodeTimer
	CodeExited
	CodeKilled
	CodeDumped
	CodeTrapped
	CodeStopped
	CodeContinued
)
