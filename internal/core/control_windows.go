package core

// Windows has no control data.

func (b *ControlBuffer) Add(level, typ int, data []byte) Result { return Unavailable }
func (b *ControlBuffer) AddHandles(handles []uintptr) Result    { return Unavailable }
func (b *ControlBuffer) AddCredentials(c Credentials) Result    { return Unavailable }

type ControlItem struct{}

func NextControl(control []byte, position *int, item *ControlItem) Result { return 0 }

func (i *ControlItem) Level() int                                          { return 0 }
func (i *ControlItem) Type() int                                           { return 0 }
func (i *ControlItem) Data(control []byte) []byte                          { return nil }
func (i *ControlItem) Take(control []byte, handles []uintptr) int          { return 0 }
func (i *ControlItem) Credentials(control []byte) (c Credentials, ok bool) { return c, false }

func CloseControl(control []byte) {}
