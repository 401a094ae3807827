// The shop behind gin and gin-contrib/cors, whose list of origins is older than the front end's address.
package main

import (
	"log"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"
)

// The origins that the list names.
var origins = []string{"https://old.example"}

func main() {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(cors.New(cors.Config{
		AllowOrigins:     origins,
		AllowMethods:     []string{"GET", "POST", "PUT"},
		AllowHeaders:     []string{"content-type"},
		AllowCredentials: true,
	}))
	var orders atomic.Int64
	router.GET("/gin/orders", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"orders": orders.Load()})
	})
	router.POST("/gin/orders", func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"orders": orders.Add(1)})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), router))
}
