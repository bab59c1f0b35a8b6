package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// charts are the charts of each column, from top to bottom, with their titles.
var charts = [2][]chart{
	{
		{"round trip, 64 B", "Round trip of 64 bytes"},
		{"stream, 64 KiB", "Stream of writes of 64 KiB"},
		{"connect", "Connect, accept and close"},
	},
	{
		{"message round trip, 64 B", "Round trip of a message of 64 bytes"},
		{"messages, 64 B", "Messages of 64 bytes, one way"},
		{"open files", "Pass an open file"},
		{"idle, 10,000 connections", "Memory of a server of 10,000 idle connections"},
	},
}

type chart struct{ work, title string }

// Measures of the drawing, in points.
const (
	drawnWidth  = vg.Length(640)
	margin      = vg.Length(14)
	headHeight  = vg.Length(44)
	footHeight  = vg.Length(22)
	titleHeight = vg.Length(24)
	rowHeight   = vg.Length(14)
	chartGap    = vg.Length(14)
	labelWidth  = vg.Length(112)
	figureWidth = vg.Length(34)
	columnGap   = vg.Length(20)
	columnWidth = (drawnWidth - 2*margin - columnGap) / 2
	barWidth    = columnWidth - labelWidth - figureWidth // of the longest bar
)

// longest is the ratio of the longest bar. Bars of larger ratios are cut.
const longest = 3

var (
	ink    = color.NRGBA{0x1f, 0x23, 0x28, 0xff}
	faint  = color.NRGBA{0x65, 0x6d, 0x76, 0xff}
	border = color.NRGBA{0xd0, 0xd7, 0xde, 0xff}

	ours    = color.NRGBA{0x09, 0x69, 0xda, 0xff}
	oursInC = color.NRGBA{0x80, 0xb9, 0xff, 0xff}
	others  = color.NRGBA{0xaf, 0xb8, 0xc1, 0xff}
)

// drawFile draws results as an SVG file.
func drawFile(r *results, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, drawing(r), 0o666)
}

func drawing(r *results) []byte {
	height := headHeight + footHeight + max(columnHeight(r, charts[0]), columnHeight(r, charts[1]))
	canvas := vgsvg.New(drawnWidth, height)
	p := painter{draw.New(canvas)}
	p.box(0, 0, drawnWidth, height, color.White) // otherwise a dark page would show through
	p.frame(0.5, 0.5, drawnWidth-1, height-1)
	p.text(margin, height-20, 12, true, ink, "Time, or memory, relative to package ipc: shorter is better")
	p.text(margin, height-34, 8, false, faint, fmt.Sprintf(
		"Blue is lipc, in Go and, lighter, in C. The line is at 1. Bars end at %d, figures do not. Medians of %d rounds.",
		longest, r.Options.Rounds))
	for i, column := range charts {
		p.column(r, column, margin+vg.Length(i)*(columnWidth+columnGap), height-headHeight)
	}
	p.text(margin, 10, 8, false, faint, r.Machine.String()+" · "+r.Options.command())
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		panic(err) // a write to a buffer does not fail
	}
	// Every system has one of the other fonts, which are as wide as Liberation Sans.
	return []byte(strings.ReplaceAll(svg.String(), "font-family:Liberation Sans;",
		"font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
}

func columnHeight(r *results, column []chart) vg.Length {
	var height vg.Length
	for _, c := range column {
		height += c.height(r)
	}
	return height
}

// height is 0 for a work that was not measured.
func (c chart) height(r *results) vg.Length {
	rows := drawnRows(r.outcome(c.work))
	if len(rows) == 0 {
		return 0
	}
	return titleHeight + vg.Length(len(rows))*rowHeight + chartGap
}

// drawnRows returns the rows that have a ratio.
func drawnRows(o *outcome) []row {
	var rows []row
	if o != nil {
		for _, r := range o.Rows {
			if r.Ratio != nil {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// A painter draws on a canvas whose y grows upwards.
type painter struct{ draw.Canvas }

// column draws charts below one another, from y down.
func (p painter) column(r *results, column []chart, x, y vg.Length) {
	for _, c := range column {
		if c.height(r) > 0 {
			p.chart(c.title, r.outcome(c.work), x, y)
			y -= c.height(r)
		}
	}
}

func (p painter) chart(title string, o *outcome, x, y vg.Length) {
	p.text(x, y-14, 9.5, true, ink, title)
	y -= titleHeight
	rows := drawnRows(o)
	bars := x + labelWidth
	edge := func(i int) vg.Length { return y - vg.Length(i+1)*rowHeight } // the lower edge of a row
	for i, r := range rows {
		p.bar(r.Ratio.Median, colorOf(&r), bars, edge(i))
	}
	one := bars + barWidth/longest
	p.line(one, y, one, edge(len(rows)-1))
	for i, r := range rows {
		p.texts(&r, r.ID == o.Reference, bars, edge(i))
	}
}

func colorOf(r *row) color.Color {
	switch program, _, _ := strings.Cut(r.ID, " "); program {
	case "ipc":
		return ours
	case "lipc":
		return oursInC
	}
	return others
}

func barLength(ratio float64) vg.Length {
	return barWidth * vg.Length(min(max(ratio, 0), longest)/longest)
}

func (p painter) bar(ratio float64, fill color.Color, x, y vg.Length) {
	length := barLength(ratio)
	p.box(x, y+2.5, length, rowHeight-5, fill)
	if ratio > longest { // a gap shows that the bar is longer
		p.box(x+length-10, y+1, 2.5, rowHeight-2, color.White)
	}
}

// texts writes the name to the left of a bar, and the figure to its right.
func (p painter) texts(r *row, reference bool, x, y vg.Length) {
	const size = 8.5
	in, name, figure := faint, r.Name, ratio(r.Ratio)
	if reference {
		name = "ipc"
	}
	if colorOf(r) == ours {
		in = ink
	}
	p.text(x-6-width(size, reference, name), y+4, size, reference, in, name)
	right := x + barLength(r.Ratio.Median) + 2
	p.box(right, y+1, width(size, reference, figure)+4, rowHeight-2, color.White) // over the line
	p.text(right+2, y+4, size, reference, in, figure)
}

// sans returns the font in a size.
func sans(size vg.Length, bold bool) font.Face {
	f := font.Font{Typeface: "Liberation", Variant: "Sans"}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return plot.DefaultTextHandler.Cache().Lookup(f, size)
}

func width(size vg.Length, bold bool, text string) vg.Length {
	face := sans(size, bold)
	return face.Width(text)
}

func (p painter) text(x, y, size vg.Length, bold bool, in color.Color, text string) {
	p.SetColor(in)
	p.FillString(sans(size, bold), vg.Point{X: x, Y: y}, text)
}

func (p painter) box(x, y, width, height vg.Length, in color.Color) {
	p.SetColor(in)
	p.Fill(rectangle(x, y, width, height))
}

func (p painter) frame(x, y, width, height vg.Length) {
	p.SetColor(border)
	p.SetLineWidth(1)
	p.Stroke(rectangle(x, y, width, height))
}

func (p painter) line(x0, y0, x1, y1 vg.Length) {
	p.SetColor(ink)
	p.SetLineWidth(0.7)
	p.Stroke(vg.Path{{Type: vg.MoveComp, Pos: vg.Point{X: x0, Y: y0}}, {Type: vg.LineComp, Pos: vg.Point{X: x1, Y: y1}}})
}

func rectangle(x, y, width, height vg.Length) vg.Path {
	return vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + width, Y: y + height}}.Path()
}
