// Argument: a job as JSON. Says "ready", waits for a line, and answers with the outcome as JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"
)

const patience = time.Second

type job struct {
	Entrant string
	Url     string
	Data    string
	Name    string
	Callers int
	Section string
	WarmUp  float64
	Ms      float64
	From    string
}

var (
	asked    job
	sections atomic.Int64
	longest  atomic.Int64
	locker   rueidislock.Locker
	section  = func() {}
)

func main() {
	check(json.Unmarshal([]byte(os.Args[1]), &asked))
	if asked.Section == "rmw" {
		data, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addressOf(asked.Data), DisableCache: true})
		check(err)
		check(data.Do(context.Background(), data.B().Ping().Build()).Error())
		section = readModifyWrite(data, "counter:"+asked.Name)
	}
	if asked.From == "call" && asked.Entrant != "bare" {
		open()
	}
	if asked.WarmUp > 0 {
		rounds(time.Now().Add(millis(asked.WarmUp)))
	}
	sections.Store(0)
	longest.Store(0)
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	begun := time.Now()
	until := begun
	if asked.Ms > 0 {
		until = begun.Add(millis(asked.Ms))
	}
	rounds(until)
	took := time.Since(begun)
	outcome := map[string]float64{
		"sections": float64(sections.Load()),
		"ms":       took.Seconds() * 1000,
		"longest":  time.Duration(longest.Load()).Seconds() * 1000,
	}
	text, err := json.Marshal(outcome)
	check(err)
	fmt.Println(string(text))
}

func open() {
	var err error
	locker, err = rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption:   rueidis.ClientOption{InitAddress: addressOf(asked.Url)},
		KeyMajority:    1,
		NoLoopTracking: true,
		KeyValidity:    10 * time.Second,
	})
	check(err)
}

func rounds(until time.Time) {
	if asked.Entrant == "bare" {
		for {
			for caller := 0; caller < asked.Callers; caller++ {
				sections.Add(1)
				section()
			}
			if !time.Now().Before(until) {
				return
			}
		}
	}
	if locker == nil {
		open()
	}
	var callers sync.WaitGroup
	for caller := 0; caller < asked.Callers; caller++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				served()
				if !time.Now().Before(until) {
					return
				}
			}
		}()
	}
	callers.Wait()
}

func served() {
	began := time.Now()
	release := acquire()
	sections.Add(1)
	waited := int64(time.Since(began))
	for {
		most := longest.Load()
		if waited <= most || longest.CompareAndSwap(most, waited) {
			break
		}
	}
	section()
	release()
}

// Between processes a wake-up may be missed, and then all callers wait for ever for a free lock: they ask again.
func acquire() context.CancelFunc {
	for {
		patient, stop := context.WithTimeout(context.Background(), patience)
		_, release, err := locker.WithContext(patient, asked.Name)
		if err == nil {
			return func() {
				release()
				stop()
			}
		}
		stop()
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, rueidislock.ErrNotLocked) {
			check(err)
		}
	}
}

func readModifyWrite(data rueidis.Client, key string) func() {
	ctx := context.Background()
	return func() {
		count, err := data.Do(ctx, data.B().Get().Key(key).Build()).AsInt64()
		if err != nil && !rueidis.IsRedisNil(err) {
			check(err)
		}
		check(data.Do(ctx, data.B().Set().Key(key).Value(strconv.FormatInt(count+1, 10)).Build()).Error())
	}
}

func addressOf(text string) []string {
	parsed, err := url.Parse(text)
	check(err)
	return []string{parsed.Host}
}

func millis(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
