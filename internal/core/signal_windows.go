package core

// Values of SignalInfo.Code on other systems. On Windows it is always 0.
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
