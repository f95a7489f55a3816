package shop

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"time"

	"eligibility/internal/rules"
)

//go:embed promotions.json
var promotionsJSON []byte

// week is how far the schedules of seasonal promotions reach to either side of the day that the shop opens.
const week = 7 * 24 * time.Hour

// seasonal are promotions that run for a time only: from a week before the day of now until a week after it.
func seasonal(id string) bool { return id == "fathers-day" || id == "weekend-evening" }

// Promotions lists what the shop's marketers have published, with the schedules of seasonal ones laid around now.
func Promotions(now time.Time) ([]rules.Promotion, error) {
	var promotions []rules.Promotion
	decoder := json.NewDecoder(bytes.NewReader(promotionsJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&promotions); err != nil {
		return nil, fmt.Errorf("decode promotions.json: %w", err)
	}
	today := now.UTC().Truncate(24 * time.Hour)
	for i := range promotions {
		if seasonal(promotions[i].ID) {
			start, end := today.Add(-week), today.Add(week)
			promotions[i].Schedule = &rules.Schedule{Start: &start, End: &end}
		}
	}
	return promotions, nil
}
