package main

import (
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cors"
	"github.com/gofiber/fiber/v3/middleware/recover"
)

// Fiber's middleware cors, on a server of its own.
func serveFiber() error {
	app := fiber.New()
	app.Use(recover.New())
	app.Use(cors.New(cors.Config{
		AllowOrigins:     []string{origin},
		AllowMethods:     methods,
		AllowHeaders:     headers,
		ExposeHeaders:    exposed,
		AllowCredentials: true,
		MaxAge:           maxAge,
	}))
	ok := func(c fiber.Ctx) error {
		ran()
		c.Append("Vary", "Accept-Encoding")
		c.Set("X-Id", "1")
		return c.SendString(body)
	}
	app.Get("/ok", ok)
	app.Put("/ok", ok)
	app.Get("/boom", func(fiber.Ctx) error {
		ran()
		panic("boom")
	})
	app.Get("/acao", func(c fiber.Ctx) error {
		ran()
		c.Set("Access-Control-Allow-Origin", "*")
		return c.SendString(body)
	})
	return app.Listen(address, fiber.ListenConfig{DisableStartupMessage: true})
}
