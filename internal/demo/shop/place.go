package shop

// country is where a shopper lives and what follows from it.
type country struct {
	code     string // ISO 3166-1 alpha-2
	language string // ISO 639-1
	currency string // ISO 4217
	weight   float64
	whatsApp float64 // share of shoppers who agree to be written to on WhatsApp
	android  float64 // share of shoppers whose phone runs Android
	spend    float64 // factor on the number of orders, against the average country
	cities   []city
}

// city fixes the time zone: a country may have several.
type city struct {
	name     string
	zone     string // IANA name
	postcode string // '#' stands for a digit, '?' for a letter
}

// countries are ordered by weight. The shares are rough, the differences between them are what rules can be tried on.
var countries = []country{
	{"US", "en", "USD", 30, 0.12, 0.42, 1.25, []city{
		{"New York", "America/New_York", "100##"},
		{"Boston", "America/New_York", "021##"},
		{"Chicago", "America/Chicago", "606##"},
		{"Austin", "America/Chicago", "787##"},
		{"Denver", "America/Denver", "802##"},
		{"Seattle", "America/Los_Angeles", "981##"},
		{"Los Angeles", "America/Los_Angeles", "900##"},
	}},
	{"DE", "de", "EUR", 12, 0.34, 0.63, 1.1, []city{
		{"Berlin", "Europe/Berlin", "10###"},
		{"Hamburg", "Europe/Berlin", "20###"},
		{"München", "Europe/Berlin", "80###"},
		{"Köln", "Europe/Berlin", "50###"},
	}},
	{"GB", "en", "GBP", 11, 0.3, 0.48, 1.1, []city{
		{"London", "Europe/London", "N# #??"}, {"Manchester", "Europe/London", "M# #??"}, {"Leeds", "Europe/London", "LS# #??"},
	}},
	{"BR", "pt", "BRL", 10, 0.68, 0.81, 0.8, []city{
		{"São Paulo", "America/Sao_Paulo", "01###-###"}, {"Recife", "America/Recife", "50###-###"}, {"Manaus", "America/Manaus", "69###-###"},
	}},
	{"IN", "en", "INR", 9, 0.72, 0.94, 0.7, []city{
		{"Mumbai", "Asia/Kolkata", "4000##"}, {"Bengaluru", "Asia/Kolkata", "5600##"}, {"Delhi", "Asia/Kolkata", "1100##"},
	}},
	{"FR", "fr", "EUR", 7, 0.28, 0.64, 1, []city{
		{"Paris", "Europe/Paris", "750##"}, {"Lyon", "Europe/Paris", "690##"}, {"Marseille", "Europe/Paris", "130##"},
	}},
	{"ES", "es", "EUR", 5, 0.55, 0.75, 0.9, []city{
		{"Madrid", "Europe/Madrid", "280##"}, {"Sevilla", "Europe/Madrid", "410##"}, {"Las Palmas", "Atlantic/Canary", "350##"},
	}},
	{"MX", "es", "MXN", 4, 0.61, 0.76, 0.8, []city{
		{"Ciudad de México", "America/Mexico_City", "06###"}, {"Tijuana", "America/Tijuana", "22###"},
	}},
	{"CA", "en", "CAD", 3.5, 0.2, 0.4, 1.1, []city{
		{"Toronto", "America/Toronto", "M#? #?#"}, {"Vancouver", "America/Vancouver", "V#? #?#"}, {"St. John's", "America/St_Johns", "A#? #?#"},
	}},
	{"IT", "it", "EUR", 3, 0.52, 0.7, 0.9, []city{{"Milano", "Europe/Rome", "201##"}, {"Roma", "Europe/Rome", "001##"}}},
	{"NL", "nl", "EUR", 2, 0.45, 0.58, 1, []city{{"Amsterdam", "Europe/Amsterdam", "10## ??"}, {"Utrecht", "Europe/Amsterdam", "35## ??"}}},
	{"AU", "en", "AUD", 2, 0.22, 0.43, 1, []city{
		{"Sydney", "Australia/Sydney", "20##"}, {"Adelaide", "Australia/Adelaide", "50##"}, {"Perth", "Australia/Perth", "60##"},
	}},
	{"JP", "ja", "JPY", 1.5, 0.04, 0.34, 1, []city{{"Tōkyō", "Asia/Tokyo", "1##-00##"}, {"Ōsaka", "Asia/Tokyo", "5##-00##"}}},
}
